/** What an operator's name may look like in an audit entry. */
const OPERATOR = /^[\w.@+:-]{1,64}$/;

export function isOperatorName(name: string): boolean {
  return OPERATOR.test(name);
}
