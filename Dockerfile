# Training with keras_infnet.
#   docker build -t keras-infnet .
#   docker run -v "$PWD:/work" keras-infnet train --config settings.toml
# With a GPU, where the NVIDIA Container Toolkit is installed:
#   docker build -t keras-infnet:gpu --build-arg EXTRA=tensorflow-gpu .
#   docker run --gpus all -v "$PWD:/work" keras-infnet:gpu quickstart
# EXTRA is tensorflow, tensorflow-gpu, jax, jax-gpu or torch, which bring the
# CUDA libraries that they need. BASE may be any image with Python 3.11 to 3.13
# and pip, such as tensorflow/tensorflow:2.20.0-gpu or pytorch/pytorch.
ARG BASE=python:3.12-slim
FROM ${BASE}

ARG EXTRA=tensorflow

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /opt/keras_infnet
COPY pyproject.toml README.md LICENSE ./
COPY keras_infnet ./keras_infnet
RUN python -m pip install ".[${EXTRA}]"

WORKDIR /work
ENTRYPOINT ["keras-infnet"]
CMD ["--help"]
