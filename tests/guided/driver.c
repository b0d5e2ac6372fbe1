/* libFuzzer around Python: every input goes to target() of tests/guided/target.py; an exception is a crash.
 *
 * The codec's extensions are compiled with coverage and sanitizers, whose runtime is linked into this program. Python
 * and the plain twin are not: they are the oracle, not what is tested. PROGRAM is the interpreter whose packages are
 * used. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>

static PyObject *target;

static void stop(void) {
    PyErr_Print();
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    PyConfig config;
    (void)argc, (void)argv;
    PyConfig_InitPythonConfig(&config);
    config.parse_argv = 0;
    config.install_signal_handlers = 0;
    if (PyStatus_Exception(PyConfig_SetBytesString(&config, &config.program_name, getenv("PROGRAM")))
        || PyStatus_Exception(Py_InitializeFromConfig(&config)))
        abort();
    PyConfig_Clear(&config);
    PyRun_SimpleString("import sys; sys.path.insert(0, '.')");
    PyObject *module = PyImport_ImportModule("tests.guided.target");
    target = module ? PyObject_GetAttrString(module, "target") : NULL;
    if (target == NULL)
        stop();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    PyObject *result = PyObject_CallFunction(target, "y#", (const char *)data, (Py_ssize_t)size);
    if (result == NULL)
        stop();
    Py_DECREF(result);
    return 0;
}
