// Rampart's plugin for OpenCode: each tool call is shown to Rampart, which answers in JSON. Whatever goes wrong refuses
// the tool. `rampart setup opencode` writes this file, and `--remove` takes it away.
import { spawn } from "node:child_process"

const COMMAND = ["RAMPART"]

function ask(input, output, directory) {
  return new Promise((resolve, reject) => {
    const refuse = (why) => reject(new Error(`Rampart refused this: its hook does not work (${why})`))
    const child = spawn(COMMAND[0], COMMAND.slice(1), { cwd: directory, stdio: ["pipe", "pipe", "pipe"] })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (data) => (stdout += data))
    child.stderr.on("data", (data) => (stderr += data))
    child.on("error", (error) => refuse(error.message))
    child.on("close", (code) => {
      let answer
      try {
        answer = stdout ? JSON.parse(stdout) : {}
      } catch {
        return refuse("its answer is no JSON")
      }
      if (answer.deny) return reject(new Error(answer.deny))
      if (code !== 0) return refuse(stderr.trim() || `it ended with ${code}`)
      resolve(answer)
    })
    child.stdin.on("error", () => {})
    child.stdin.end(JSON.stringify({ input, output }))
  })
}

export const Rampart = async ({ directory }) => {
  // That OpenCode has begun, for `rampart doctor`; nothing waits for it.
  ask({ directory }, null, directory).catch(() => {})
  return {
    "tool.execute.before": async (input, output) => {
      await ask(input, output, directory)
    },
    "tool.execute.after": async (input, output) => {
      const answer = await ask(input, output, directory)
      if (answer.output) Object.assign(output, answer.output)
    },
  }
}
