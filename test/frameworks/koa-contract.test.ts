import Koa3 from 'koa'
import Koa2 from 'koa2'
import { describe, it } from 'vitest'
import { httpContract } from '../http-contract/index.js'
import { koaHarness } from '../support/http/koa.js'

httpContract({ describe, it }, koaHarness('Koa 2', Koa2))
httpContract({ describe, it }, koaHarness('Koa 3', Koa3))
