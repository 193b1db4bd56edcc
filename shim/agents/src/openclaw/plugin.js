// Rampart's plugin for OpenClaw: each tool call is shown to Rampart, which answers in JSON that goes back as it is.
// Whatever goes wrong throws, and then OpenClaw refuses the tool. `rampart setup openclaw` writes this file, and
// `--remove` takes it away.
import { spawn, spawnSync } from "node:child_process"

const COMMAND = ["RAMPART"]

function read(code, stdout, stderr) {
  if (stdout) return JSON.parse(stdout)
  if (code !== 0) throw new Error(`Rampart refused this: ${stderr.trim() || `its hook ended with ${code}`}`)
  return undefined
}

function input(event, ctx) {
  const { agentId, sessionKey, sessionId, runId } = ctx ?? {}
  return JSON.stringify({ event, ctx: { agentId, sessionKey, sessionId, runId } })
}

function ask(event, ctx) {
  return new Promise((resolve, reject) => {
    const child = spawn(COMMAND[0], COMMAND.slice(1), { stdio: ["pipe", "pipe", "pipe"] })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (data) => (stdout += data))
    child.stderr.on("data", (data) => (stderr += data))
    child.on("error", reject)
    child.on("close", (code) => {
      try {
        resolve(read(code, stdout, stderr))
      } catch (error) {
        reject(error)
      }
    })
    child.stdin.on("error", () => {})
    child.stdin.end(input(event, ctx))
  })
}

export default {
  id: "rampart",
  name: "Rampart",
  description: "Asks Rampart before each tool call.",
  register(api) {
    api.on("before_tool_call", ask)
    // What goes into the session is what the model reads; this hook has to answer at once.
    api.on("tool_result_persist", (event, ctx) => {
      const done = spawnSync(COMMAND[0], COMMAND.slice(1), { input: input(event, ctx), encoding: "utf8" })
      if (done.error) throw done.error
      return read(done.status, done.stdout, done.stderr)
    })
  },
}
