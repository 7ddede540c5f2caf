import { isErrorLike, isLatchkeyError } from '../../errors.js'
import { copyFault, describeFault } from '../../store/describe-fault.js'
import { withCauses } from '../../store/reporter.js'
import { redact } from '../../token/redact.js'
import { printable } from './printable.js'

/** The exit codes. They are documented in docs/cli.md and never renumbered, because scripts depend on them. */
export const EXIT = {
  ok: 0,
  /** Refused, or failed. Nothing was changed unless the message says so. */
  failed: 1,
  /** The command line or one of its values was invalid. */
  usage: 2,
  /** The store did not answer, so it is unknown whether the change was made. */
  undecided: 3,
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Ends a command with a one-sentence message for people and a code for scripts. */
export class CommandError extends Error {
  readonly exitCode: ExitCode

  constructor(exitCode: ExitCode, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}

/** The reader of the output closed it, as `head` does. */
export class OutputClosedError extends Error {}

const MAX_SENTENCE = 1000

/** Describes an error in one line without a stack or a token, with its exit code. */
export function readFault(error: unknown): { readonly exitCode: ExitCode; readonly sentence: string } {
  if (error instanceof CommandError) return { exitCode: error.exitCode, sentence: oneLine(error.message) }
  if (!isLatchkeyError(error)) {
    return { exitCode: EXIT.failed, sentence: oneLine(isErrorLike(error) ? error.message : describeFault(error)) }
  }
  const { cause } = error
  const copy = typeof cause === 'object' && cause !== null ? copyFault(cause) : cause
  return { exitCode: exitCodeOf(error.code), sentence: oneLine(`${inCommands(withCauses(error.message, copy))} (${error.code})`) }
}

/** The calls that messages of the library advise, and the commands that do the same. */
const COMMANDS: ReadonlyMap<string, string> = new Map([
  ['ownerGone()', 'owner-gone'],
  ['verifyAudit()', 'verify-audit'],
  ['forgetConsumer()', 'forget-consumer'],
  ['erase()', 'erase'],
])

/** Replaces advice to call a function by the command that a person at a terminal can run. */
function inCommands(text: string): string {
  return text
    .replace(/(?<=\b(?:with|see|call) )\w+\(\)/gi, (call) => {
      const command = COMMANDS.get(call)
      return command === undefined ? call : `\`npx latchkey ${command}\``
    })
    .replace('call `npx', 'run `npx')
}

function exitCodeOf(code: string): ExitCode {
  if (code === 'store_unavailable' || code === 'closed') return EXIT.undecided
  return code === 'invalid_input' ? EXIT.usage : EXIT.failed
}

/** The login in a connection string, which a message may quote, up to the last `@`, because a password may contain reserved characters. */
const LOGIN = /(:\/\/)[^\s/?#:@]*:\S*@/g

/** Makes text safe for a terminal: one line without tokens and passwords. */
export function oneLine(text: string): string {
  return printable(
    redact(text)
      .replace(LOGIN, '$1…@')
      .replace(/\s*[\r\n]+\s*/g, ' '),
  ).slice(0, MAX_SENTENCE)
}
