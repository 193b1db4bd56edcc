// Rampart's plugin for OpenClaw: each tool call is shown to Rampart, which answers in JSON that goes back as it is.
// Whatever goes wrong throws, and then OpenClaw refuses the tool, or withholds what it gave back. `rampart setup
// openclaw` writes this file, and `--remove` takes it away.
import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { homedir } from "node:os"
import { resolve as absolute } from "node:path"

const COMMAND = ["RAMPART"]

// The folder of each session, as results told it: a session can be started in one of its own.
const told = new Map()
const MOST_TOLD = 1000

function learn({ sessionKey }, folder) {
  if (!sessionKey || !folder) return
  told.delete(sessionKey)
  told.set(sessionKey, folder)
  if (told.size > MOST_TOLD) told.delete(told.keys().next().value)
}

// Where an agent's tools work, which is seldom where OpenClaw was started: what relative paths start from.
function folder(api, { agentId, sessionKey }) {
  if (told.has(sessionKey)) return told.get(sessionKey)
  const config = api.runtime.config.current()
  const set = config.agents?.entries?.[agentId]?.cwd?.trim() || config.agents?.defaults?.cwd?.trim()
  if (set) return absolute(set.replace(/^~(?=$|\/)/, homedir()))
  return agentId && api.runtime.agent.resolveAgentWorkspaceDir(config, agentId)
}

function ask(event, ctx, cwd) {
  const { agentId, sessionKey, sessionId, runId } = ctx
  return new Promise((resolve, reject) => {
    const child = spawn(COMMAND[0], COMMAND.slice(1), {
      cwd: cwd && existsSync(cwd) ? cwd : undefined,
      stdio: ["pipe", "pipe", "pipe"],
    })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (data) => (stdout += data))
    child.stderr.on("data", (data) => (stderr += data))
    child.on("error", reject)
    child.on("close", (code) => {
      try {
        if (!stdout && code !== 0) {
          throw new Error(`Rampart refused this: ${stderr.trim() || `its hook ended with ${code}`}`)
        }
        resolve(stdout ? JSON.parse(stdout) : undefined)
      } catch (error) {
        reject(error)
      }
    })
    child.stdin.on("error", () => {})
    child.stdin.end(JSON.stringify({ event, ctx: { agentId, sessionKey, sessionId, runId } }))
  })
}

export default {
  id: "rampart",
  name: "Rampart",
  description: "Asks Rampart before each tool call.",
  register(api) {
    api.on("before_tool_call", (event, ctx) => ask(event, ctx, folder(api, ctx)))
    // The only place before the model reads a result: `tool_result_persist` changes what is stored of it.
    api.registerAgentToolResultMiddleware?.(
      async (event, ctx) => {
        learn(ctx, event.cwd)
        const answer = await ask(event, ctx, event.cwd ?? folder(api, ctx))
        // Refused before it was judged.
        if (answer?.block) return { result: { content: [{ type: "text", text: answer.blockReason }] } }
        return answer
      },
      { runtimes: ["openclaw", "codex"] },
    )
  },
}
