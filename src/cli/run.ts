import { CommanderError } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { addInit } from './commands/init.js'
import { COMMANDS } from './commands.js'
import type { Perform } from './lib/command.js'
import { EXIT, type ExitCode, OutputClosedError, oneLine, readFault } from './lib/fault.js'
import { HeldLines } from './lib/held-lines.js'
import { inOptions } from './lib/in-options.js'
import type { Lifetime } from './lib/lifetime.js'
import { type Streams, say, write } from './lib/output.js'
import { openSession, tellingOfStore } from './lib/session.js'
import { SuggestingCommand } from './lib/suggest.js'

const EXIT_CODES = `
Exit codes: 0 done; 1 refused or failed; 2 the command line was invalid; 3 the store did not respond, so the outcome is unknown.
`

/** The command whose purpose is to set up the store. */
const SETS_UP = 'migrate'

/** Runs one command line to completion, and returns the exit code. Never rejects. */
export async function run(args: readonly string[], streams: Streams, lifetime: Lifetime): Promise<ExitCode> {
  // Each write reports its own error. Without a listener, Node would also throw.
  streams.stdout.on('error', () => undefined)
  streams.stderr.on('error', () => undefined)
  const lines = new HeldLines()
  let code: ExitCode = EXIT.ok
  const perform: Perform = (command, work) => {
    command.action(async () => {
      const session = await openSession(streams, lifetime, lines, command.optsWithGlobals())
      const perform = async () => {
        try {
          return (await work(session, command.optsWithGlobals(), command.processedArgs)) ?? EXIT.ok
        } catch (error) {
          throw inOptions(command, error)
        }
      }
      code = await (SETS_UP === command.name() ? perform() : tellingOfStore(session, perform))
    })
  }
  const written: Promise<void>[] = []
  const program = buildProgram(perform, streams, (stream, text) => {
    written.push(write(stream, text).catch(() => undefined))
  })
  try {
    if (args.length === 0) program.help({ error: true })
    refuseUnknownTopic(program, args)
    await program.parseAsync([...args], { from: 'user' })
  } catch (error) {
    code = await tell(streams, error)
    lines.told(error)
  }
  await Promise.all(written)
  await lifetime.end()
  lines.end()
  return code
}

// Without this, commander would print the general help as if nothing were wrong.
function refuseUnknownTopic(program: SuggestingCommand, args: readonly string[]): void {
  const [first, ...topic] = args.filter((arg) => !arg.startsWith('-'))
  const [name] = topic
  if (first !== 'help' || name === undefined || name === 'help') return
  if (program.commands.some((command) => command.name() === name)) return
  program.args = topic
  program.unknownCommand()
}

function buildProgram(
  perform: Perform,
  streams: Streams,
  emit: (stream: NodeJS.WritableStream & Streams['stdout'], text: string) => void,
): SuggestingCommand {
  const program = new SuggestingCommand('latchkey')
    .description('Manages API tokens from the command line, using the instance that latchkey.config.ts exports.')
    .option('--config <file>', 'the file that exports the instance (default: the nearest latchkey.config.ts, .mjs, .js or .cjs)')
    .option('--as <name>', 'name of the actor in the audit log, as cli:<name> (default: the operating system user)')
    .option('--json', 'print JSON, for scripts')
    .option('--yes', 'skip the confirmation of actions that cannot be undone')
    .version(manifest.version, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .addHelpText('after', EXIT_CODES)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => emit(streams.stdout, text),
      writeErr: (text) => emit(streams.stderr, text),
      outputError: (text, print) => print(`latchkey: ${oneLine(text.trim().replace(/^error: /, ''))}\n`),
    })
    .exitOverride()
  addInit(program, streams)
  for (const add of COMMANDS) add(program, perform)
  return program
}

async function tell(streams: Streams, error: unknown): Promise<ExitCode> {
  // Already reported. Requested help is not an error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage
  if (error instanceof OutputClosedError) return EXIT.ok
  const { exitCode, sentence } = readFault(error)
  await say(streams, `latchkey: ${sentence}`)
  return exitCode
}
