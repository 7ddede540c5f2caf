import fc from 'fast-check'

/**
 * The same runs for everyone, so that a red CI run is the fault of the change and not of the dice: `npm run test:explore` rolls them.
 * LATCHKEY_SEED takes a number, or `random`.
 */
const asked = process.env.LATCHKEY_SEED
if (asked !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: asked === undefined ? 20_261_122 : Number(asked) })

export { fc }
