import express5 from 'express'
import express4 from 'express4'
import Koa3 from 'koa'
import Koa2 from 'koa2'
import type { HttpHarness } from '../../http-contract/types.js'
import { expressHarness } from './express.js'
import { fastifyHarness } from './fastify.js'
import { honoHarness } from './hono.js'
import { koaHarness } from './koa.js'
import { webHarness } from './web.js'

/** Every adapter, as driven by the contract and by the tests that cover all adapters. */
export const harnesses: readonly HttpHarness[] = [
  expressHarness('Express 4', express4),
  expressHarness('Express 5', express5),
  koaHarness('Koa 2', Koa2),
  koaHarness('Koa 3', Koa3),
  fastifyHarness('Fastify 5'),
  honoHarness('Hono on Node'),
  webHarness('web requests'),
]
