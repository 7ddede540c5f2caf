import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import type { Latchkey, TokenHandle } from '../../instance.js'
import { filePathOf } from '../../store/store-file.js'
import { cliActor } from './actor.js'
import { findConfig, loadInstance } from './config.js'
import { confirmFinal } from './confirm.js'
import type { HeldLines } from './held-lines.js'
import { findInternals } from './internals.js'
import type { Lifetime } from './lifetime.js'
import { type Streams, say, writeJson } from './output.js'
import { readId } from './read-id.js'

/** The options of every command. */
export type CommonOptions = {
  readonly config?: string
  readonly as?: string
  readonly json?: boolean
  readonly yes?: boolean
}

/** The context of a command: the configured instance, and its verbs with the command line's user as the actor. */
export type Session = {
  readonly tokens: Latchkey
  readonly handle: TokenHandle
  readonly streams: Streams
  readonly configFile: string
  /** Opens the instance of the configuration file that an option names. It is closed like the command's own instance. */
  openOther(option: string, file: string): Promise<Latchkey>
  /** Reads the ID of a token from an argument. */
  readId(text: string): Promise<string>
  /** Registers work to do when the process ends. */
  onEnd(work: () => Promise<void>): void
  /** Runs work that creates a token and shows it; see `Lifetime`. */
  readonly untilShown: Lifetime['untilShown']
  /** Writes a result: as JSON if requested, otherwise in readable form. */
  answer(value: unknown, forPeople: () => Promise<void>): Promise<void>
  /** Marks a fault that the result already reports, so that the instance's own message about it is omitted. */
  told(error: unknown): void
  /** Asks for confirmation of a change that cannot be undone. */
  confirm(question: () => string | Promise<string>): Promise<void>
}

/** Loads the configuration. Its instance is closed when the process ends. */
export async function openSession(streams: Streams, lifetime: Lifetime, lines: HeldLines, options: CommonOptions): Promise<Session> {
  const configFile = findConfig(streams.cwd, options.config)
  // The nearest configuration runs in its own folder. In a subfolder, the relative path of a SQLite file would name another, new file.
  if (options.config === undefined) process.chdir(dirname(configFile))
  const tokens = await loadInstance(configFile)
  lifetime.onEnd(() => tokens.close())
  return {
    tokens,
    handle: tokens.as(cliActor(options.as)),
    streams,
    configFile,
    openOther: async (option, file) => {
      const folder = process.cwd()
      // This configuration runs in the folder where the command was typed, as with --config.
      process.chdir(streams.cwd)
      const other = await loadInstance(findConfig(streams.cwd, file, option))
      process.chdir(folder)
      lifetime.onEnd(() => other.close())
      return other
    },
    readId: (text) => readId(streams, tokens, text),
    onEnd: (work) => lifetime.onEnd(work),
    untilShown: (first, work) => lifetime.untilShown(first, work),
    told: (error) => lines.told(error),
    answer: (value, forPeople) => (options.json ? writeJson(streams, value) : forPeople()),
    confirm: async (question) => {
      if (!options.yes) await confirmFinal(streams, await question())
    },
  }
}

const IN_MEMORY =
  'Note: this command has a memory store of its own, which ends with the command. To share tokens with your server, configure a database.'

/** Returns the SQLite file of an instance that does not exist yet. Without its folder, it cannot be created, and the store says so. */
export function absentFile(tokens: Latchkey): string | undefined {
  const file = filePathOf(Object(findInternals(tokens)?.settings.store))
  return file !== undefined && existsSync(dirname(file)) && !existsSync(file) ? file : undefined
}

/**
 * Runs a command, and tells people if the application most likely uses another store: if the command created the SQLite file, or if the store is in the memory
 * of this process.
 */
export async function tellingOfStore<T>({ tokens, streams }: Session, work: () => Promise<T>): Promise<T> {
  const file = absentFile(tokens)
  try {
    const ended = await work()
    if (findInternals(tokens)?.settings.store.name === 'memory') await say(streams, IN_MEMORY)
    return ended
  } finally {
    if (file !== undefined && existsSync(file)) await say(streams, `Note: the SQLite file ${file} did not exist, so it was created.`)
  }
}
