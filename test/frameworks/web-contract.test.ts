import { describe, it } from 'vitest'
import { httpContract } from '../http-contract/index.js'
import { webHarness } from '../support/http/web.js'

httpContract({ describe, it }, webHarness('web requests'))
