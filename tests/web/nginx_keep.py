#!/usr/bin/env python3
"""Behind a real nginx with fastcgi_keep_conn on: all of nginx.py again."""

import os
import runpy

runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                            "nginx.py"), {"KEEP": True}, "__main__")
