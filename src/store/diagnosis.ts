/** One thing that a store has looked at on its server. */
export type StoreFinding = {
  /** Lower-case words joined by `_`, each once in a diagnosis: `durability`. */
  readonly name: string
  /** Is it as latchkey needs it? Absent: told without a judgment. */
  readonly ok?: boolean
  /** One sentence, without a secret: how it is, and where it is wrong, which promise suffers. */
  readonly detail: string
  /** One sentence: what to do. Only where there is something to do. */
  readonly advice?: string
}

/** How the server behind a store is set up. */
export type StoreDiagnosis = {
  readonly findings: readonly StoreFinding[]
  /** The server's clock in milliseconds since the Unix epoch, read during the call. Absent: it has none of its own. */
  readonly now?: number
}

const NAME = /^[a-z]+(_[a-z]+)*$/

/** Reads a diagnosis; `undefined` where it makes no sense. */
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
