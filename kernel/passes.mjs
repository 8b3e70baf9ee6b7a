// What Binaryen does to the kernel between asc and the translator, as a transform of asc (asconfig.json): its own
// optimisation, but no inlining beyond functions of one instruction. A function that Binaryen inlines is missing from
// back traces, since a source map knows no calls; inlining is left to the translator, which keeps account of it.

export default class Passes {
  afterCompile(module) {
    const { binaryen } = this;
    binaryen.setOptimizeLevel(2);
    binaryen.setShrinkLevel(0);
    binaryen.setDebugInfo(true);
    binaryen.setAlwaysInlineMaxSize(0);
    binaryen.setOneCallerInlineMaxSize(0);
    binaryen.setFlexibleInlineMaxSize(0);
    module.optimize();
  }
}
