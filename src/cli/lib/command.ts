import type { Command } from 'commander'
import type { ExitCode } from './fault.js'
import type { Session } from './session.js'

/** Sets the action of a command, which may return an exit code. The session is opened only after the whole command line is parsed without errors. */
export type Perform = <Options extends object>(
  command: Command,
  work: (session: Session, options: Options, args: readonly string[]) => Promise<ExitCode> | Promise<void>,
) => void

/** Adds one command to the program. */
export type AddCommand = (program: Command, perform: Perform) => void
