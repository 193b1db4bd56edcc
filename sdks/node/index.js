// Ask Rampart before an agent acts. Whatever goes wrong is a refusal.
import { randomUUID } from "node:crypto"
import { lstat } from "node:fs/promises"
import http from "node:http"
import https from "node:https"
import { homedir } from "node:os"
import { join } from "node:path"

const LONGEST_ANSWER = 4 << 20

export class Refused extends Error {
  constructor(decision) {
    super(explain(decision))
    this.name = "Refused"
    this.decision = decision
  }
}

export class Unreachable extends Refused {
  constructor(why) {
    super({ allowed: false, decision: "deny", reason: "gateway_unreachable", message: why, suggestions: [] })
    this.name = "Unreachable"
  }
}

function explain({ message, reason, rule, suggestions }) {
  let text = `Rampart refused this: ${message || reason}`
  if (rule) text += ` Rule: ${rule.policy}${rule.file ? ` (${rule.file}:${rule.line})` : ""}.`
  if (suggestions?.length) text += ` A human can allow it with: ${suggestions[0]}`
  return text
}

export class Rampart {
  #agent
  #session
  #url
  #token
  #socket
  #timeout

  constructor({ agent, session, url, token, home, timeout = 150_000 } = {}) {
    const env = process.env
    this.#agent = agent || env.RAMPART_AGENT || ""
    this.#session = session || env.RAMPART_SESSION || randomUUID()
    this.#url = url ? new URL(url) : undefined
    this.#token = token || env.RAMPART_CREDENTIAL || (url ? env.RAMPART_TOKEN : undefined)
    this.#socket = join(home || env.RAMPART_HOME || join(homedir(), ".rampart"), "run", "gateway.sock")
    this.#timeout = timeout
  }

  decide(tool, params = {}) {
    return this.#ask("tool", tool, params)
  }

  preflight(tool, params = {}) {
    return this.#ask("preflight", tool, params)
  }

  async require(tool, params = {}) {
    const decision = await this.decide(tool, params)
    if (!decision.allowed) throw new Refused(decision)
    return decision
  }

  guard(tool, params, work) {
    return async (...args) => {
      await this.require(tool, params(...args))
      return work(...args)
    }
  }

  async #ask(route, tool, params) {
    try {
      const body = JSON.stringify({
        agent: this.#agent,
        session: this.#session,
        params,
        workspace: process.cwd(),
        home: homedir(),
      })
      const { status, text } = await this.#post(`/v1/${route}/${encodeURIComponent(tool)}`, body)
      const answer = JSON.parse(text)
      if (status !== 200) throw new Error(`the gateway says ${answer.error.code}: ${answer.error.message}`)
      if (typeof answer.allowed !== "boolean") throw new Error("its answer says nothing")
      return { suggestions: [], message: "", ...answer }
    } catch (error) {
      throw new Unreachable(`no Rampart gateway answers (${error.message}); start one with \`rampart serve\``)
    }
  }

  async #post(path, body) {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) }
    if (this.#token) headers.authorization = `Bearer ${this.#token}`
    const options = { method: "POST", path, headers, agent: false }
    if (this.#url) {
      Object.assign(options, { host: this.#url.hostname, port: this.#url.port })
    } else {
      const found = await lstat(this.#socket)
      if (!found.isSocket() || ![0, process.geteuid()].includes(found.uid)) {
        throw new Error(`${this.#socket} is not a socket of this user`)
      }
      options.socketPath = this.#socket
    }
    const { request } = this.#url?.protocol === "https:" ? https : http
    return new Promise((resolve, reject) => {
      const asked = request(options, (answer) => {
        let text = ""
        answer.setEncoding("utf8")
        answer.on("data", (part) => {
          text += part
          if (text.length > LONGEST_ANSWER) asked.destroy(new Error("its answer has no end"))
        })
        answer.on("end", () => resolve({ status: answer.statusCode, text }))
        answer.on("error", reject)
      })
      const timer = setTimeout(() => asked.destroy(new Error("it takes too long")), this.#timeout)
      asked.on("close", () => clearTimeout(timer))
      asked.on("error", reject)
      asked.end(body)
    })
  }
}
