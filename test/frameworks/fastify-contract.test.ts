import { httpContract } from 'latchkey/testing'
import { describe, it } from 'vitest'
import { fastifyHarness } from '../support/http/fastify.js'

httpContract({ describe, it }, fastifyHarness('Fastify 5'))
