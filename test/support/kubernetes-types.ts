import path from "node:path";
import ts from "typescript";
import type { Manifest } from "./deploy.ts";
import { inProject } from "./project.ts";

/** The module of kubernetes-types that declares each kind. */
const MODULES: Readonly<Record<string, string>> = {
  "v1 ConfigMap": "core/v1",
  "v1 PersistentVolumeClaim": "core/v1",
  "v1 Service": "core/v1",
  "v1 ServiceAccount": "core/v1",
  "apps/v1 Deployment": "apps/v1",
  "autoscaling/v2 HorizontalPodAutoscaler": "autoscaling/v2",
  "networking.k8s.io/v1 NetworkPolicy": "networking/v1",
  "policy/v1 PodDisruptionBudget": "policy/v1",
};

/**
 * Checks documents of Kubernetes against the declarations of its API (the package kubernetes-types). Returns a line for each
 * unknown field, missing field and value of a wrong type.
 */
export function typeErrorsOf(documents: readonly Manifest[]): string[] {
  const file = inProject("test", "manifests.ts");
  const source = documents
    .map((document, index) => {
      const module = MODULES[`${document.apiVersion} ${document.kind}`];
      if (module === undefined) {
        throw new Error(`no type for ${document.apiVersion} ${document.kind}`);
      }
      const type = `import("kubernetes-types/${module}").${document.kind}`;
      return `export const document${index}: ${type} = ${JSON.stringify(document, null, 1)};`;
    })
    .join("\n");
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    types: [],
    skipLibCheck: true,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const readFile = host.getSourceFile.bind(host);
  host.getSourceFile = (name, ...rest) =>
    path.resolve(name) === file
      ? ts.createSourceFile(name, source, ts.ScriptTarget.ESNext)
      : readFile(name, ...rest);
  const program = ts.createProgram([file], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) =>
      ts.flattenDiagnosticMessageText(messageText, "\n"),
    );
}
