/** The rule that decided, and where it stands. */
export interface Rule {
  policy: string
  file?: string
  line?: number
}

/** A decision of the gateway. */
export interface Decision {
  /** Whether the call may happen. */
  allowed: boolean
  decision: "allow" | "watch" | "ask" | "webhook" | "deny"
  /** Why, as a stable code. */
  reason: string
  /** Text for people and models. */
  message: string
  rule?: Rule
  /** Commands by which a human could allow it. */
  suggestions: string[]
  /** Number of the record in the audit trail; none for a preflight. */
  seq?: number
}

/** The call may not happen. */
export class Refused extends Error {
  readonly decision: Decision
}

/** There was no answer that can be understood, so the call may not happen. */
export class Unreachable extends Refused {}

export interface Options {
  agent?: string
  session?: string
  /** The gateway's port, such as `http://127.0.0.1:9090`, instead of its socket. */
  url?: string
  token?: string
  /** Rampart's home; else `RAMPART_HOME`, else `~/.rampart`. */
  home?: string
  /** Milliseconds that an answer may take, a human's included. */
  timeout?: number
}

export type Params = Record<string, unknown>

/** Asks the gateway. */
export class Rampart {
  constructor(options?: Options)
  /** Has a call decided and recorded, and waits for a human where the policy asks one. */
  decide(tool: string, params?: Params): Promise<Decision>
  /** What would be decided. Nobody is asked and nothing recorded. */
  preflight(tool: string, params?: Params): Promise<Decision>
  /** Like `decide`, and throws `Refused` unless the call may happen. */
  require(tool: string, params?: Params): Promise<Decision>
  /** A function that calls `work` only when the gateway allows it; `params` says what it would be called with. */
  guard<A extends unknown[], R>(
    tool: string,
    params: (...args: A) => Params,
    work: (...args: A) => R | Promise<R>,
  ): (...args: A) => Promise<R>
}
