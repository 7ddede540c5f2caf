import type { Command } from 'commander'
import type { ExitCode } from './fault.js'
import type { Session } from './session.js'

/** Gives a command its work, which answers how to exit where that is not 0. The session is opened only after the whole command line was read without fault. */
export type Perform = <Options extends object>(
  command: Command,
  work: (session: Session, options: Options, args: readonly string[]) => Promise<ExitCode> | Promise<void>,
) => void

/** Adds one command to the program. */
export type AddCommand = (program: Command, perform: Perform) => void
