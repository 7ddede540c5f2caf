import { isErrorLike, isLatchkeyError } from '../../errors.js'
import { describeFault } from '../../store/describe-fault.js'
import { redact } from '../../token/redact.js'
import { printable } from './printable.js'

/** How the process ends. Documented in docs/cli.md, and never renumbered: scripts depend on them. */
export const EXIT = {
  ok: 0,
  /** Refused, or failed. Nothing was changed unless the message says so. */
  failed: 1,
  /** The command line or a value in it was wrong. */
  usage: 2,
  /** The store did not answer: it is not known whether the change was made. */
  undecided: 3,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Ends a command with one sentence for people and a code for scripts. */
export class CommandError extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}

/** The reader of the output has gone, as `head` does. */
export class OutputClosedError extends Error {}

const MAX_SENTENCE = 1000

/** What to tell of an error, in one line without a stack or a token, and how to end. */
export function readFault(error: unknown): { readonly exitCode: ExitCode; readonly sentence: string } {
  if (error instanceof CommandError) return { exitCode: error.exitCode, sentence: oneLine(error.message) }
  if (!isLatchkeyError(error)) {
    return { exitCode: EXIT.failed, sentence: oneLine(isErrorLike(error) ? error.message : describeFault(error)) }
  }
  const cause = error.cause === undefined ? '' : `: ${describeCause(error.cause)}`
  return { exitCode: exitCodeOf(error.code), sentence: oneLine(`${error.message}${cause} (${error.code})`) }
}

function exitCodeOf(code: string): ExitCode {
  if (code === 'store_unavailable' || code === 'closed') return EXIT.undecided
  return code === 'invalid_input' ? EXIT.usage : EXIT.failed
}

/** A driver's message may quote a connection string, so its kind and code are told; our own errors are written to be read. */
function describeCause(cause: unknown): string {
  return isLatchkeyError(cause) ? cause.message : describeFault(cause)
}

/** One line that shows no token, fit for a terminal. */
export function oneLine(text: string): string {
  return printable(redact(text).replace(/\s*[\r\n]+\s*/g, ' ')).slice(0, MAX_SENTENCE)
}
