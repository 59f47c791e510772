# SPDX-License-Identifier: GPL-2.0
"""What users are told when a call fails, by path, site and number of the call.

Words of walk.effect(), then what the path itself says: an errno, "tcp" for a
connection that did not move. "|" stands between what is right, too: where the
two ends of a connection, which count together here, race. A site fails as often
as there are entries; but ctl_send, which depends on who is faster.
"""
SOUND = {"back": "sockopt|sockopt*2", "unload": "unload|unload*2",
         "park": "channels_down*2", "refuse": "ECONNREFUSED"}

_TWICE = ["", ""]
_NOT_LOADED = ["not loaded"] * 2
_NO_RING = ["no_ring"] * 2
# One end is short of memory, and in time the other misses its answer. Where time
# is short the hook finds the connection after all, and moves it
_NO_CONN = ["no_match no_memory tcp|no_memory tcp|no_memory",
            "no_answer no_memory tcp|no_memory tcp|no_memory"]
_GOES_ON = ["channels_down*2"]
_LOST = ["channels_down*2 ECONNRESET|channels_down*2 EPIPE"]
_BACK = ["sockopt|sockopt*2"] * 3
_UNLOAD = ["unload|unload*2"] * 3

EFFECTS = {
    "load": {"stats": ["not loaded"], "workqueue": ["not loaded"] * 3,
             "sysctl": ["not loaded"] * 6, "register": ["not loaded"] * 4,
             "peer": _NOT_LOADED,
             "chan": _NOT_LOADED * 3, "ring": _NOT_LOADED,
             "ring_hdr": _NOT_LOADED, "ring_page": _NOT_LOADED * 2,
             "grant": _NOT_LOADED, "map": _NOT_LOADED},
    "attach": {"tables": ["not loaded"] * 4, "workqueue": ["not loaded"],
               "register": ["not loaded"] * 2},
    "netns": {"sysctl": ["no namespace"] * 2},
    "refuse": {"sock": ["ENOBUFS"], "stream": ["ENOMEM"],
               "conn_id": ["ENOBUFS"], "ctl_send": ["ECONNREFUSED"]},
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
    "hook": {"hook_conn": _NO_CONN, "conn_id": _NO_CONN, "rx_ring": _NO_RING,
             "ring": _NO_RING, "ring_hdr": _NO_RING,
             "ring_page": _NO_RING * 3,
             "grant": _NO_RING, "map": _NO_RING, "tx_ring": _NO_RING,
             "ctl_send": [""]},
    "back": {"back_skb": _BACK, "ctl_send": _BACK[:1]},
    "unload": {"back_skb": _UNLOAD, "ctl_send": _UNLOAD[:1]},
}
