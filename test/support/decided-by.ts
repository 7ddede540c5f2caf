import type { Latchkey } from 'latchkey'
import { type Decider, internalsOf, registerInstance } from '../../src/instance.js'

/** The same instance with another decider, to test how a guard handles unusual answers. */
export function decidedBy(tokens: Latchkey, decide: (token: unknown, context: unknown) => unknown): Latchkey {
  const face = { ...tokens }
  registerInstance(face, { ...internalsOf(tokens), decide: decide as Decider['decide'] })
  return face
}
