import type { Scenes } from './scene.js'
import { doubt } from './scenes/doubt.js'
import { form } from './scenes/form.js'
import { list } from './scenes/list.js'
import { media } from './scenes/media.js'
import { token } from './scenes/token.js'

/** Every scene by name. */
export const SCENES: Scenes = { ...list, ...form, ...token, ...doubt, ...media }
