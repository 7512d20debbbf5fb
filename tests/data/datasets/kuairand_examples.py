"""Files of a tiny KuaiRand-Pure."""

import csv

import pandas as pd

LOG = (
    "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,"
    "is_comment,is_forward,is_hate,long_view,play_time_ms,duration_ms,"
    "profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab"
).split(",")
USER = (
    "user_id,user_active_degree,is_lowactive_period,is_live_streamer,"
    "is_video_author,follow_user_num,follow_user_num_range,fans_user_num,"
    "fans_user_num_range,friend_user_num,friend_user_num_range,"
    "register_days,register_days_range,"
    + ",".join(f"onehot_feat{i}" for i in range(18))
).split(",")
VIDEOS = """\
video_id,author_id,video_type,upload_dt,upload_type,visible_status,\
video_duration,server_width,server_height,music_id,music_type,tag
10,100,NORMAL,2022-04-09,LongImport,0.0,5000.0,720.0,1280.0,900,9.0,"3,4"
11,101,AD,2022-04-10,Web,0.0,,720.0,1280.0,901,,
12,100,NORMAL,2022-04-11,Web,0.0,7000.0,720.0,1280.0,902,4.0,5
"""
LEAKS = {
    "play_time_ms",
    "profile_stay_time",
    "comment_stay_time",
    "is_follow",
    "is_comment",
    "is_forward",
    "is_hate",
    "is_profile_enter",
}
DAY = 86_400_000
# 25 April 2022, 00:00 in Beijing.
START = 1_650_816_000_000


def write_log(path, rows):
    """Rows of user, video, day from 25 April on, click, like, long view."""
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, LOG, restval=0)
        writer.writeheader()
        for user, video, day, *flags in rows:
            date = pd.Timestamp("2022-04-25") + pd.Timedelta(int(day), "D")
            writer.writerow(
                {
                    "user_id": user,
                    "video_id": video,
                    "date": date.strftime("%Y%m%d"),
                    "time_ms": START + int(day * DAY),
                    **dict(
                        zip(
                            ("is_click", "is_like", "long_view"),
                            flags,
                            strict=True,
                        )
                    ),
                    "play_time_ms": 77,
                    "duration_ms": 1000 * video,
                    "tab": 1,
                }
            )


def write_features(folder):
    with open(folder / "user_features_pure.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, USER, restval=1)
        writer.writeheader()
        writer.writerow(
            {
                "user_id": 1,
                "user_active_degree": "full_active",
                "is_live_streamer": -124,
                "follow_user_num_range": "(10,50]",
                "onehot_feat4": "",
                "onehot_feat12": "0.0",
            }
        )
    (folder / "video_features_basic_pure.csv").write_text(VIDEOS)


SECOND = [
    (1, 10, 0.5, 1, 0, 0),
    (1, 11, 1.5, 0, 1, 1),
    (1, 11, 1.5, 1, 1, 1),  # a repeat
    (2, 12, 8.25, 1, 0, 1),
    (1, 12, 10.5, 1, 1, 0),
    (1, 10, 10.5, 0, 0, 0),  # the same instant
]
