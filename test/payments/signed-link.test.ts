import t from 'tap'
import fc from 'fast-check'
import { signedLinks } from '../../src/payments/signed-link.ts'

const links = signedLinks('the ledger\'s secret')
const environment = fc.stringMatching(/^[a-z][a-z0-9-]{0,62}$/)

t.test('a token is read as what was signed, by every replica of the ledger', async t => {
  fc.assert(fc.property(environment, fc.uuid(), (environment, id) => {
    const token = links.sign(environment, id)
    return /^[\w-]{64}$/.test(token) && signedLinks('the ledger\'s secret').read(environment, token) === id
  }))
  t.pass()
})

t.test('in another environment, or by another ledger, it is nothing', async t => {
  fc.assert(fc.property(environment, environment, fc.uuid(), (environment, other, id) => {
    const token = links.sign(environment, id)
    return (other === environment || links.read(other, token) === undefined) && signedLinks('another').read(environment, token) === undefined
  }))
  t.pass()
})

t.test('whichever character is changed, whatever is cut off or added, it is nothing', async t => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const token = links.sign('test', '0198f6a4-7c1e-4d5b-9a3f-2b6c8d0e1f23')
  for (let i = 0; i < token.length; i += 1) {
    for (const character of [...alphabet, '=', '+', '/', '.', ' ', '\n', '\0', 'é']) {
      if (character === token[i]) continue
      const changed = token.slice(0, i) + character + token.slice(i + 1)
      if (links.read('test', changed) !== undefined) t.fail(`${changed} is taken for ${token}`)
    }
    t.equal(links.read('test', token.slice(0, i)), undefined)
  }
  for (const text of [`${token}A`, `${token}=`, `${token}\n`, ` ${token}`, '', `${token}${token}`]) t.equal(links.read('test', text), undefined)
})

t.end()
