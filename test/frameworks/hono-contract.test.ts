import { httpContract } from 'latchkey/testing'
import { describe, it } from 'vitest'
import { honoHarness } from '../support/http/hono.js'

httpContract({ describe, it }, honoHarness('Hono on Node'))
