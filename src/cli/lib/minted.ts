import type { Minted, TokenRecord } from '../../model/record.js'
import { CommandError, EXIT, OutputClosedError, oneLine } from './fault.js'
import { isDiscarded, say, write } from './output.js'
import type { Session } from './session.js'

/** Describes when a token expires, so that a lifetime without its unit (`90` is 90 seconds) is noticed immediately. */
export function lifetimeOf({ expiresAt }: TokenRecord): string {
  return expiresAt === undefined ? 'never expires' : `expires at ${expiresAt.toISOString()}`
}

/** Creates a token and shows it. */
type Minting = {
  create(): Promise<Minted>
  /** The message if the process has to end before it is known whether the token was created. */
  readonly doubt: string
  sentenceOf(record: TokenRecord): string
}

/**
 * Creates a token and shows it once. Without `--json`, it is the only line on `stdout`, so that `TOKEN=$(latchkey create …)` works.
 *
 * @throws CommandError before anything is changed if the output is discarded; afterward if the token could not be written and is lost
 */
export async function mint(session: Session, { create, doubt, sentenceOf }: Minting): Promise<void> {
  if (isDiscarded(session.streams.stdout))
    throw new CommandError(EXIT.failed, 'standard output is closed or discarded, so the token could not be shown; nothing was changed')
  await session.untilShown({ exitCode: EXIT.undecided, sentence: doubt }, async (note) => {
    const minted = await create()
    const { record } = minted
    note({
      exitCode: EXIT.failed,
      sentence: `token ${record.id} was created, but may not have been shown: revoke it unless you have it`,
    })
    await show(session, minted, sentenceOf(record))
  })
}

async function show({ streams, answer }: Session, { token, record }: Minted, sentence: string): Promise<void> {
  try {
    await answer({ token, record }, async () => {
      await say(streams, sentence)
      await write(streams.stdout, `${token}\n`)
    })
  } catch (error) {
    const why =
      error instanceof OutputClosedError
        ? 'standard output was closed before the token could be shown'
        : `it could not be shown (${oneLine(String(error))})`
    throw new CommandError(EXIT.failed, `token ${record.id} was created, but ${why}: revoke it`)
  }
}
