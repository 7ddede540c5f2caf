import type { Latchkey, TokenHandle } from '../../instance.js'
import { cliActor } from './actor.js'
import { findConfig, loadInstance } from './config.js'
import { confirmFinal } from './confirm.js'
import type { HeldLines } from './held-lines.js'
import type { Lifetime } from './lifetime.js'
import { type Streams, writeJson } from './output.js'

/** The options of every command. */
export type CommonOptions = {
  readonly config?: string
  readonly as?: string
  readonly json?: boolean
  readonly yes?: boolean
}

/** What a command works with: the instance of the configuration, and its verbs as the user of the command line performs them. */
export type Session = {
  readonly tokens: Latchkey
  readonly handle: TokenHandle
  readonly streams: Streams
  readonly configFile: string
  /** The instance of another file, which an option names. It is closed like the first. */
  openOther(option: string, file: string): Promise<Latchkey>
  /** Does this too when the process ends. */
  onEnd(work: () => Promise<void>): void
  /** Answers as JSON where that was asked for, else as people read it. */
  answer(value: unknown, forPeople: () => Promise<void>): Promise<void>
  /** The answer says this fault: the instance's own line about it is left out. */
  told(error: unknown): void
  /** Asks before what cannot be undone. */
  confirm(question: () => string | Promise<string>): Promise<void>
}

/** Loads the configuration. Its instance is closed when the process ends. */
export async function openSession(streams: Streams, lifetime: Lifetime, lines: HeldLines, options: CommonOptions): Promise<Session> {
  const configFile = findConfig(streams.cwd, options.config)
  const tokens = await loadInstance(configFile)
  lifetime.onEnd(() => tokens.close())
  return {
    tokens,
    handle: tokens.as(cliActor(options.as)),
    streams,
    configFile,
    openOther: async (option, file) => {
      const other = await loadInstance(findConfig(streams.cwd, file, option))
      lifetime.onEnd(() => other.close())
      return other
    },
    onEnd: (work) => lifetime.onEnd(work),
    told: (error) => lines.told(error),
    answer: (value, forPeople) => (options.json ? writeJson(streams, value) : forPeople()),
    confirm: async (question) => {
      if (!options.yes) await confirmFinal(streams, await question())
    },
  }
}
