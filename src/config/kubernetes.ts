const SERVICE_URL = /^(?:tcp|udp|sctp):\/\//;

/** Of the variables for a Service, those that no program uses for a setting of its own. */
const SERVICE_NAME =
  /_SERVICE_(?:HOST|PORT(?:_\w+)?)$|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?$/;

/**
 * Whether a variable is one that Kubernetes sets in every container for each Service: `NAME_SERVICE_HOST`, `NAME_SERVICE_PORT`,
 * `NAME_PORT=tcp://…` and `NAME_PORT_80_TCP…`. A Service `admin` makes an ADMIN_PORT.
 */
export function isOfKubernetes(name: string, value: string): boolean {
  return (
    SERVICE_NAME.test(name) ||
    (/(?:^|_)PORT$/.test(name) && SERVICE_URL.test(value))
  );
}
