/** The permitted names of operators in audit entries. */
const OPERATOR = /^[\w.@+:-]{1,64}$/;

export function isOperatorName(name: string): boolean {
  return OPERATOR.test(name);
}
