import Koa3 from 'koa'
import Koa2 from 'koa2'
import { httpContract } from 'latchkey/testing'
import { describe, it } from 'vitest'
import { koaHarness } from '../support/http/koa.js'

httpContract({ describe, it }, koaHarness('Koa 2', Koa2))
httpContract({ describe, it }, koaHarness('Koa 3', Koa3))
