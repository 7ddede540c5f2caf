import type { Scenes } from './scene.js'
import { form } from './scenes/form.js'
import { list } from './scenes/list.js'
import { token } from './scenes/token.js'

/** Every state, by name. */
export const SCENES: Scenes = { ...list, ...form, ...token }
