import fc from 'fast-check'

/**
 * All runs use the same inputs, so a failing CI run is caused by the change and not by chance. `npm run test:explore` uses random seeds.
 * `LATCHKEY_SEED` takes a number, or `random`.
 */
const asked = process.env.LATCHKEY_SEED
if (asked !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: asked === undefined ? 20_261_122 : Number(asked) })

export { fc }
