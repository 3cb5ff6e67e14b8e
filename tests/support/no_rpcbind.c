/* Preloaded into nfs-ganesha, which insists on registering with rpcbind: registrations succeed and do nothing, so that
 * several servers run side by side on loopback without any system service. */
#include <stdbool.h>

struct svc_xprt;
struct netconfig;
struct netbuf;

bool svc_reg(struct svc_xprt* transport, unsigned program, unsigned version, void* dispatch,
             const struct netconfig* network) {
  (void)transport, (void)program, (void)version, (void)dispatch, (void)network;
  return true;
}

bool rpcb_set(unsigned program, unsigned version, const struct netconfig* network, const struct netbuf* address) {
  (void)program, (void)version, (void)network, (void)address;
  return true;
}

bool rpcb_unset(unsigned program, unsigned version, const struct netconfig* network) {
  (void)program, (void)version, (void)network;
  return true;
}
