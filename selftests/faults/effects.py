# SPDX-License-Identifier: GPL-2.0
"""What users are told when a call fails, by path, site and number of the call.

Words of walk.effect(), then what the path itself says: an errno, "tcp" for a
connection that did not move. "|" stands between what is right, too: where the
two ends of a connection, which count together here, race. A site fails as often
as there are entries; but how often those in VARIES do depends on who is faster:
their last entry holds for all that follow, too.
"""
SOUND = {"back": "sockopt|sockopt*2", "unload": "unload|unload*2",
         "ulp": "ulp|ulp*2", "taken": "kernel|kernel*2", "late": "|no_match",
         "carry": "channels_down*6|channels_down*8",
         "park": "channels_down*2", "refuse": "ECONNREFUSED"}

# Sites, or PATH:SITE
VARIES = ("ctl_send", "late:hook_conn", "late:conn_id", "carry:*")

_TWICE = ["", ""]
_NOT_LOADED = ["not loaded"] * 2
_NO_RING = ["no_ring"] * 2
# One end is short of memory, and in time the other misses its answer. Where time
# is short the hook finds the connection after all, and moves it
_NO_CONN = ["no_match no_memory tcp|no_memory tcp|no_memory",
            "no_answer no_memory tcp|no_memory tcp|no_memory"]
# Each asks the other, who may not have been told yet that the hook is on
_LATE = ["|no_match|no_memory|no_match no_memory"]
_LATE_RING = ["no_ring|no_match no_ring"] * 2
_GOES_ON = ["channels_down*2"]
_LOST = ["channels_down*2 ECONNRESET|channels_down*2 EPIPE"]
# The loopback's channel, that of the carriers, and one that came to nothing
_CARRIED = ["channels_down*6|channels_down*8"]
_NOT_CARRIED = ["|".join(f"channels_down*{n} {err}" for n in (2, 4, 6, 8)
                         for err in ("ECONNRESET", "EPIPE"))]
_BACK = ["sockopt|sockopt*2"] * 3
_ULP = ["ulp|ulp*2"]
_TAKEN = ["kernel|kernel*2"]
_UNLOAD = ["unload|unload*2"] * 3
# No entries: these fail in the same way on other paths
_AS_BACK = {"ctl_send": []}
# The connection is TCP's again, and the hook looks at it once more: the end that
# nothing holds on TCP asks the other, and both if there is time
_AS_LATE = dict.fromkeys(("hook_conn", "conn_id", "rx_ring", "ring", "ring_hdr",
                          "ring_page", "grant", "map", "tx_ring"), [])

EFFECTS = {
    "load": {"stats": ["not loaded"], "workqueue": ["not loaded"] * 3,
             "sysctl": ["not loaded"] * 6, "register": ["not loaded"] * 4,
             "peer": _NOT_LOADED,
             "chan": _NOT_LOADED * 3, "ring": _NOT_LOADED,
             "ring_hdr": _NOT_LOADED, "ring_page": _NOT_LOADED * 2,
             "grant": _NOT_LOADED, "map": _NOT_LOADED},
    "attach": {"tables": ["not loaded"] * 4, "workqueue": ["not loaded"],
               "register": ["not loaded"] * 2, "ulp": [""] * 3},
    "netns": {"sysctl": ["no namespace"] * 2},
    "refuse": {"sock": ["ENOBUFS"], "stream": ["ENOMEM"],
               "conn_id": ["ENOBUFS"], "ctl_send": ["ECONNREFUSED"]},
    "ask": {"answer": ["ENOMEM"] * 2, "event": ["monitor_lost"] * 2},
    "stream": {"sock": ["ENOBUFS", "ENOBUFS", ""], "stream": ["ENOMEM", ""],
               "conn_id": ["ENOBUFS", ""], "rx_ring": _TWICE, "ring": _TWICE,
               "ring_hdr": _TWICE, "ring_page": _TWICE * 3, "grant": _TWICE,
               "map": _TWICE, "tx_ring": _TWICE, "ctl_send": [""]},
    "park": {"spill": _LOST, "resume": _GOES_ON * 2, "position": _LOST * 2,
             "conn_id": _GOES_ON * 2, "peer": _GOES_ON * 2, "chan": _GOES_ON * 6,
             "ring": _GOES_ON * 4, "ring_hdr": _GOES_ON * 4,
             "ring_page": _GOES_ON * 10, "grant": _GOES_ON * 4,
             "map": _GOES_ON * 4, "rx_ring": _GOES_ON * 2,
             "tx_ring": _GOES_ON * 2, "ctl_send": _GOES_ON},
    "carry": {"spill": _NOT_CARRIED, "position": _NOT_CARRIED,
              **dict.fromkeys(("resume", "carrier", "greet", "conn_id", "peer",
                               "chan", "ring", "ring_hdr", "ring_page",
                               "grant", "map", "rx_ring", "tx_ring",
                               "ctl_send"), _CARRIED)},
    "hook": {"hook_conn": _NO_CONN, "conn_id": _NO_CONN, "rx_ring": _NO_RING,
             "ring": _NO_RING, "ring_hdr": _NO_RING,
             "ring_page": _NO_RING * 3,
             "grant": _NO_RING, "map": _NO_RING, "tx_ring": _NO_RING,
             "ctl_send": [""]},
    "late": {"hook_conn": _LATE, "conn_id": _LATE,
             "rx_ring": _LATE_RING, "ring": _LATE_RING,
             "ring_hdr": _LATE_RING, "ring_page": _LATE_RING * 3,
             "grant": _LATE_RING, "map": _LATE_RING, "tx_ring": _LATE_RING,
             "ctl_send": ["|no_match"]},
    "back": {"back_skb": _BACK, "ctl_send": _BACK[:1]},
    "ulp": {"ulp": _ULP, "back_skb": _ULP * 3, **_AS_BACK, **_AS_LATE},
    "taken": {"taken": _TAKEN * 2, "back_skb": _TAKEN * 3, **_AS_BACK,
              **_AS_LATE},
    "tap": {"register": ["not loaded"], "tap_skb": ["dropped"] * 4,
            **_AS_BACK},
    "unload": {"back_skb": _UNLOAD, "ulp": _UNLOAD, "ctl_send": _UNLOAD[:1]},
}
