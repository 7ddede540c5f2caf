import { httpContract } from 'latchkey/testing'
import { describe, it } from 'vitest'
import { webHarness } from '../support/http/web.js'

httpContract({ describe, it }, webHarness('web requests'))
