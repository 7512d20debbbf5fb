// Loads SavedModels and calls them without Python, with the runtime functions
// that TensorFlow Serving calls.
//
//   load_saved_model [OPTION...] describe FOLDER DESCRIPTION
//   load_saved_model [OPTION...] run FOLDER REQUESTS ANSWERS
//   load_saved_model [OPTION...] time REQUESTS FOLDER...
//
//   --intra N     threads per operation, 0 for one per core; default 0
//   --inter N     parallel operations, 0 for one per core; default 0
//   --repeats N   timed calls per request; default 100
//   --warm-up N   untimed calls per request; default 10
//
// `describe` writes a serialized `MetaGraphDef` with tags and signatures.
// `run` answers every request, also after a failed one. `time` calls the
// requests in turn, each with every model in turn, so that a slow phase of the
// machine affects all of them. It prints one line of JSON per folder and
// request: their positions in the command line, the status of the last call,
// the microseconds of every call to make tensors of the message (`prepare_us`)
// and to compute (`run_us`), of the first call (`first_us`), and of loading
// the folder (`load_us`).
//
// Numbers in files are 64-bit little-endian; byte strings follow their length.
// A request: name of the signature, number of inputs, every input as a
// `NamedTensorProto`. An answer: status code, message, number of outputs,
// every output as a `NamedTensorProto`. Answers are written one by one, so
// their number tells which request crashed the process.
//
// Exit status: 0; 1 for a wrong command line; 2 for files that cannot be
// loaded, read or written.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"
#include "tensorflow/cc/saved_model/util.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/protobuf/named_tensor.pb.h"
#include "tensorflow/core/public/session.h"
#include "tensorflow/core/public/session_options.h"

namespace {

namespace tf = tensorflow;
using Tensors = google::protobuf::Map<std::string, tf::TensorProto>;
using Clock = std::chrono::steady_clock;

constexpr char kMethod[] = "tensorflow/serving/predict";

struct Options {
  int intra = 0;
  int inter = 0;
  int repeats = 100;
  int warm_up = 10;
};

struct Request {
  std::string signature;
  Tensors inputs;
};

// Feeds and fetches of a request.
struct Call {
  std::vector<std::pair<std::string, tf::Tensor>> feeds;
  std::vector<std::string> fetches;
  std::vector<std::string> names;
};

// ------------------------------------------------------------------- files

[[noreturn]] void Fail(const std::string& message) {
  throw std::runtime_error(message);
}

uint64_t ReadNumber(std::istream& in) {
  unsigned char bytes[8];
  if (!in.read(reinterpret_cast<char*>(bytes), 8)) Fail("requests: cut short");
  uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

std::string ReadBytes(std::istream& in) {
  std::string bytes(ReadNumber(in), '\0');
  if (!in.read(bytes.data(), bytes.size())) Fail("requests: cut short");
  return bytes;
}

std::optional<Request> ReadRequest(std::istream& in) {
  if (in.peek() == std::char_traits<char>::eof()) return std::nullopt;
  Request request;
  request.signature = ReadBytes(in);
  for (uint64_t left = ReadNumber(in); left > 0; --left) {
    tf::NamedTensorProto input;
    if (!input.ParseFromString(ReadBytes(in))) Fail("requests: no message");
    request.inputs[input.name()] = std::move(*input.mutable_tensor());
  }
  return request;
}

void WriteNumber(std::ostream& out, uint64_t value) {
  for (int i = 0; i < 8; ++i, value >>= 8) out.put(char(value & 0xff));
}

void WriteBytes(std::ostream& out, const std::string& bytes) {
  WriteNumber(out, bytes.size());
  out.write(bytes.data(), bytes.size());
}

std::ifstream Open(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) Fail("cannot read " + path);
  return in;
}

std::ofstream Create(const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  if (!out) Fail("cannot write " + path);
  return out;
}

// ------------------------------------------------------------------- model

std::unique_ptr<tf::SavedModelBundle> Load(const std::string& folder,
                                           const Options& options) {
  tf::SessionOptions session;
  session.config.set_intra_op_parallelism_threads(options.intra);
  session.config.set_inter_op_parallelism_threads(options.inter);
  auto bundle = std::make_unique<tf::SavedModelBundle>();
  const absl::Status status = tf::LoadSavedModel(
      session, tf::RunOptions(), folder, {"serve"}, bundle.get());
  if (!status.ok()) Fail(folder + ": " + status.ToString());
  return bundle;
}

// The checks of TensorFlow Serving in the same order, then its own function,
// which parses the messages and adds the defaults of the signature.
absl::Status Prepare(const tf::SavedModelBundle& bundle,
                     const Request& request, Call* call) {
  const auto& signatures = bundle.GetSignatures();
  const auto found = signatures.find(request.signature);
  if (found == signatures.end()) {
    return absl::FailedPreconditionError("no signature \"" +
                                         request.signature + "\"");
  }
  const tf::SignatureDef& signature = found->second;
  if (signature.method_name() != kMethod) {
    return absl::InternalError("method \"" + signature.method_name() + "\"");
  }
  const size_t given = request.inputs.size();
  const size_t wanted = signature.inputs().size();
  if (given > wanted || (given < wanted && signature.defaults().empty())) {
    return absl::InvalidArgumentError(std::to_string(given) +
                                      " inputs in place of " +
                                      std::to_string(wanted));
  }
  const absl::Status status = tf::saved_model::GetInputValues(
      signature, request.inputs, call->feeds);
  if (!status.ok()) return status;
  for (const auto& [name, info] : signature.outputs()) {
    call->names.push_back(name);
    call->fetches.push_back(info.name());
  }
  return absl::OkStatus();
}

void Describe(const tf::SavedModelBundle& bundle, std::ostream& out) {
  tf::MetaGraphDef description;
  const tf::MetaGraphDef& graph = bundle.meta_graph_def;
  *description.mutable_meta_info_def()->mutable_tags() =
      graph.meta_info_def().tags();
  *description.mutable_signature_def() = graph.signature_def();
  out << description.SerializeAsString();
  if (!out.flush()) Fail("description: cannot write");
}

// All memory is freed before the next request, since requests may be large.
void Answer(const tf::SavedModelBundle& bundle, const Request& request,
            std::ostream& out) {
  Call call;
  std::vector<tf::Tensor> outputs;
  absl::Status status = Prepare(bundle, request, &call);
  if (status.ok()) {
    status = bundle.session->Run(call.feeds, call.fetches, {}, &outputs);
  }
  WriteNumber(out, static_cast<uint64_t>(status.raw_code()));
  WriteBytes(out, std::string(status.message()));
  WriteNumber(out, status.ok() ? outputs.size() : 0);
  for (size_t i = 0; status.ok() && i < outputs.size(); ++i) {
    tf::NamedTensorProto output;
    output.set_name(call.names[i]);
    outputs[i].AsProtoField(output.mutable_tensor());
    WriteBytes(out, output.SerializeAsString());
  }
  if (!out.flush()) Fail("answers: cannot write");
}

// ------------------------------------------------------------------ timing

struct Times {
  absl::Status status;
  std::vector<double> prepare;
  std::vector<double> run;
  double first = -1;
};

double Microseconds(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double, std::micro>(end - start).count();
}

void TimeOnce(const tf::SavedModelBundle& bundle, const Request& request,
              bool keep, Times* times) {
  Call call;
  std::vector<tf::Tensor> outputs;
  const auto start = Clock::now();
  times->status = Prepare(bundle, request, &call);
  const auto prepared = Clock::now();
  if (times->status.ok()) {
    times->status =
        bundle.session->Run(call.feeds, call.fetches, {}, &outputs);
  }
  const auto end = Clock::now();
  if (times->first < 0) times->first = Microseconds(start, end);
  if (!keep || !times->status.ok()) return;
  times->prepare.push_back(Microseconds(start, prepared));
  times->run.push_back(Microseconds(prepared, end));
}

void PrintList(const char* name, const std::vector<double>& values) {
  std::cout << ", \"" << name << "\": [";
  for (size_t i = 0; i < values.size(); ++i) {
    std::cout << (i ? ", " : "") << values[i];
  }
  std::cout << "]";
}

void Time(const std::vector<std::string>& folders,
          const std::vector<Request>& requests, const Options& options) {
  std::vector<std::unique_ptr<tf::SavedModelBundle>> models;
  std::vector<double> loading;
  for (const auto& folder : folders) {
    const auto start = Clock::now();
    models.push_back(Load(folder, options));
    loading.push_back(Microseconds(start, Clock::now()));
  }
  std::vector<Times> times(models.size() * requests.size());
  for (int round = -options.warm_up; round < options.repeats; ++round) {
    for (size_t r = 0; r < requests.size(); ++r) {
      for (size_t m = 0; m < models.size(); ++m) {
        TimeOnce(*models[m], requests[r], round >= 0,
                 &times[m * requests.size() + r]);
      }
    }
  }
  for (size_t i = 0; i < times.size(); ++i) {
    const absl::Status& status = times[i].status;
    std::cout << "{\"folder\": " << i / requests.size()
              << ", \"request\": " << i % requests.size()
              << ", \"status\": " << status.raw_code()
              << ", \"load_us\": " << loading[i / requests.size()]
              << ", \"first_us\": " << times[i].first;
    PrintList("prepare_us", times[i].prepare);
    PrintList("run_us", times[i].run);
    std::cout << "}\n";
    if (!status.ok()) std::cerr << status.ToString() << "\n";
  }
}

// ------------------------------------------------------------ command line

int Usage(const std::string& problem) {
  std::cerr << problem << "\nUsage: load_saved_model [OPTION...] "
            << "describe FOLDER DESCRIPTION | run FOLDER REQUESTS ANSWERS | "
            << "time REQUESTS FOLDER...\nOptions: --intra N, --inter N, "
            << "--repeats N, --warm-up N\n";
  return 1;
}

bool SetOption(const std::string& name, const std::string& text,
               Options* options) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end || value < 0 || value > 1'000'000'000) return false;
  int* place = name == "--intra"     ? &options->intra
               : name == "--inter"   ? &options->inter
               : name == "--repeats" ? &options->repeats
               : name == "--warm-up" ? &options->warm_up
                                     : nullptr;
  if (place) *place = static_cast<int>(value);
  return place != nullptr;
}

int Main(std::vector<std::string> words) {
  Options options;
  size_t next = 0;
  for (; next < words.size() && words[next].rfind("--", 0) == 0; next += 2) {
    const std::string value = next + 1 < words.size() ? words[next + 1] : "";
    if (!SetOption(words[next], value, &options)) {
      return Usage("Wrong option: " + words[next] + " " + value);
    }
  }
  words.erase(words.begin(), words.begin() + std::min(next, words.size()));
  const std::string mode = words.empty() ? "" : words[0];
  if (mode == "describe" && words.size() == 3) {
    auto out = Create(words[2]);
    Describe(*Load(words[1], options), out);
  } else if (mode == "run" && words.size() == 4) {
    auto in = Open(words[2]);
    auto out = Create(words[3]);
    const auto model = Load(words[1], options);
    while (const auto request = ReadRequest(in)) Answer(*model, *request, out);
  } else if (mode == "time" && words.size() >= 3) {
    auto in = Open(words[1]);
    std::vector<Request> requests;
    while (auto request = ReadRequest(in)) {
      requests.push_back(std::move(*request));
    }
    Time({words.begin() + 2, words.end()}, requests, options);
  } else {
    return Usage("Wrong command: " + mode);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main({argv + 1, argv + argc});
  } catch (const std::runtime_error& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
}
