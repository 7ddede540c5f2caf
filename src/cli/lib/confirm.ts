import { confirm, isCancel } from '@clack/prompts'
import { CommandError, EXIT, oneLine } from './fault.js'
import type { Streams } from './output.js'

/**
 * Asks for confirmation of a change that cannot be undone. Without a terminal, no one can be asked, so nothing is done.
 *
 * @throws CommandError for any answer other than yes
 */
export async function confirmFinal(streams: Streams, question: string): Promise<void> {
  if (streams.stdin.isTTY !== true || streams.stderr.isTTY !== true) {
    throw new CommandError(
      EXIT.failed,
      `${question} There is no terminal to ask for confirmation, so nothing was changed. Add --yes to confirm`,
    )
  }
  const answer = await confirm({ message: oneLine(question), initialValue: false, input: streams.stdin, output: streams.stderr })
  if (isCancel(answer) || !answer) throw new CommandError(EXIT.failed, 'not confirmed; nothing was changed')
}
