"""The Python SDK's client on a stdio server: sdk.py DIR COMMAND...  Prints what it saw as one JSON object."""

import asyncio
import json
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(folder, command, *args):
    parameters = StdioServerParameters(command=command, args=list(args), env=dict(os.environ))
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        hello = await session.initialize()
        info = getattr(hello, "server_info", None) or hello.serverInfo
        tools = await session.list_tools()

        async def call(name, **arguments):
            result = await session.call_tool(name, arguments)
            failed = getattr(result, "is_error", None)
            if failed is None:
                failed = getattr(result, "isError", None)
            return bool(failed), "\n".join(getattr(part, "text", "") for part in result.content)

        await call("write_file", path=f"{folder}/written.txt", content="written through the firewall")
        _, text = await call("read_text_file", path=f"{folder}/written.txt")
        refused, why = await call("read_text_file", path=f"{folder}/.env")
        many = await asyncio.gather(
            *(call("write_file", path=f"{folder}/p{i}.txt", content=str(i)) for i in range(20))
        )
        print(json.dumps({
            "server": info.name,
            "tools": [tool.name for tool in tools.tools],
            "read": text,
            "secret": {"isError": refused, "text": why},
            "concurrent": sum(not failed for failed, _ in many),
        }))


asyncio.run(main(*sys.argv[1:]))
