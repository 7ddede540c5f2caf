import type { Latchkey } from 'latchkey'
import { type Decider, internalsOf, registerInstance } from '../../src/instance.js'

/** The same instance, but decided by something else: for what a guard makes of awkward answers. */
export function decidedBy(tokens: Latchkey, decide: (token: unknown, context: unknown) => unknown): Latchkey {
  const face = { ...tokens }
  registerInstance(face, { ...internalsOf(tokens), decide: decide as Decider['decide'] })
  return face
}
