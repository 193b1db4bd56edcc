#!/usr/bin/env python3
"""Runs a client with Rampart in front of its server: mcp_through.py RAMPART COMMAND... URL. The client gets Rampart's
address in the place of the URL."""

import subprocess
import sys

rampart, *command, url = sys.argv[1:]
serve = [rampart, "mcp", "serve", "--listen", "127.0.0.1:0", "--name", "fixture", "--pins", "off", "--upstream", url]
front = subprocess.Popen(serve, stdout=subprocess.PIPE, text=True)
try:
    address = front.stdout.readline().strip()
    sys.exit(subprocess.run([*command, address]).returncode)
finally:
    front.terminate()
    front.wait()
