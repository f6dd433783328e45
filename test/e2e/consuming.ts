import type { Answer, Api } from './api.ts'

export interface Wanted {
  readonly id: string
  readonly n: number
}

/** What a caller was told in the end. */
export interface Answered extends Wanted {
  readonly body: Answer['body']
  readonly text: string
  /** Times the connection failed before it was told. */
  readonly lost: number
}

const ATTEMPTS_MAX = 8

/**
 * All at once, spread over the replicas. Whoever loses its connection asks the next one, with the same id.
 * @param onAnswer told which of the replicas gave it
 */
export async function consumeAll (
  apis: readonly Api[], org: string, feature: string, wanted: readonly Wanted[], onAnswer: (by: number) => void = () => {}
): Promise<Answered[]> {
  return await Promise.all(wanted.map(async ({ id, n }, i) => {
    for (let lost = 0; lost < ATTEMPTS_MAX; lost += 1) {
      const by = (i + lost) % apis.length
      const answer = await (apis[by] as Api).post('/v1/consume', { org, feature, n, id }).catch(() => undefined)
      if (answer === undefined) continue
      if (answer.status !== 200) throw new Error(`${id} was answered ${answer.status} ${answer.text}`)
      onAnswer(by)
      return { id, n, body: answer.body, text: answer.text, lost }
    }
    throw new Error(`${id} lost its connection ${ATTEMPTS_MAX} times`)
  }))
}
