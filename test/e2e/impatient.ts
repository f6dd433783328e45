import { serve } from '../../src/server.ts'

/**
 * The service with short bounds for its connections, so that a test can wait for all of them. They are long enough for a
 * machine that is busy: an honest request that arrives in one piece is never late.
 */
await serve(process.env, {
  connectionBounds: {
    headersTimeoutMs: 2_000, requestTimeoutMs: 3_000, stalledTimeoutMs: 4_000, keepAliveTimeoutMs: 2_000, connectionsMax: 1_000
  },
  onListening: address => console.log(`http://${address}`)
})
