/** The result of one check that a store made on its server. */
export type StoreFinding = {
  /** Lowercase words joined by `_`, unique within a diagnosis: `durability`. */
  readonly name: string
  /** Whether the setting meets latchkey's needs. Absent: the finding is only informative. */
  readonly ok?: boolean
  /** One sentence, without secrets: the setting and, if it is a problem, the guarantee that it weakens. */
  readonly detail: string
  /** One sentence that says what to do. Absent if there is nothing to do. */
  readonly advice?: string
}

/** The configuration of the server behind a store. */
export type StoreDiagnosis = {
  readonly findings: readonly StoreFinding[]
  /** The server's clock in milliseconds since the Unix epoch, read during the call. Absent: the store has no clock of its own. */
  readonly now?: number
}

const NAME = /^[a-z]+(_[a-z]+)*$/

/** Reads a diagnosis. Returns `undefined` if it is invalid. */
export function readDiagnosis(answer: unknown): StoreDiagnosis | undefined {
  const { findings, now } = Object(answer) as { readonly [K in keyof StoreDiagnosis]?: unknown }
  if (!Array.isArray(findings) || !findings.every(isFinding)) return undefined
  if (new Set(findings.map(({ name }) => name)).size !== findings.length) return undefined
  if (now === undefined) return { findings }
  return typeof now === 'number' && Number.isFinite(now) ? { findings, now } : undefined
}

function isFinding(value: unknown): value is StoreFinding {
  const { name, ok, detail, advice } = Object(value) as { readonly [K in keyof StoreFinding]?: unknown }
  if (typeof name !== 'string' || !NAME.test(name) || typeof detail !== 'string' || detail === '') return false
  return (ok === undefined || typeof ok === 'boolean') && (advice === undefined || typeof advice === 'string')
}
