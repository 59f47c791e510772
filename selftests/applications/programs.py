# SPDX-License-Identifier: GPL-2.0
"""All programs that are compared, and what their guests need of Debian."""
import copies
import languages
import stores
import web

PROGRAMS = {**stores.PROGRAMS, **web.PROGRAMS, "curl": web.Curl,
            **copies.PROGRAMS, **languages.PROGRAMS}
PACKAGES = [name for kind in PROGRAMS.values() for name in kind.packages]
