// Preloaded into NFS-Ganesha by the quickstart and the tests: registering with a portmapper succeeds without there
// being one, so that NFSv3 is served on free loopback ports of our own choice, beside whatever else runs on the
// machine.
extern "C" {

int rpcb_set(unsigned program, unsigned version, const void* netconfig, const void* address);
int rpcb_unset(unsigned program, unsigned version, const void* netconfig);

int rpcb_set(unsigned /*program*/, unsigned /*version*/, const void* /*netconfig*/, const void* /*address*/) {
  return 1;
}
int rpcb_unset(unsigned /*program*/, unsigned /*version*/, const void* /*netconfig*/) {
  return 1;
}

}  // extern "C"
