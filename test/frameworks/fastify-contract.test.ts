import { describe, it } from 'vitest'
import { httpContract } from '../http-contract/index.js'
import { fastifyHarness } from '../support/http/fastify.js'

httpContract({ describe, it }, fastifyHarness('Fastify 5'))
