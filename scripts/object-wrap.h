// Included before everything else when better-sqlite3 is built: node::ObjectWrap without the environment cleanup hooks that
// Node 24.19 gave it. With them every object that the garbage collector takes while no JavaScript runs ends the process
// ("Assertion failed: (env) != nullptr"); without them it is what it was before, and what other versions of Node have.
#include <node.h>
#define AddEnvironmentCleanupHook(isolate, hook, argument) static_cast<void>(0)
#define RemoveEnvironmentCleanupHook(isolate, hook, argument) static_cast<void>(0)
#include <node_object_wrap.h>
#undef AddEnvironmentCleanupHook
#undef RemoveEnvironmentCleanupHook
