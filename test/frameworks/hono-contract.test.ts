import { describe, it } from 'vitest'
import { httpContract } from '../http-contract/index.js'
import { honoHarness } from '../support/http/hono.js'

httpContract({ describe, it }, honoHarness('Hono on Node'))
