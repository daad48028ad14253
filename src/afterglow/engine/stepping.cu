// The stepping loop for one patient: the rules of stepping.py with a step size of one's own.
//
// Stands after the text of a model (compile/cuda.py) and the numbers of driver.py (SAME_TIME, SMALLEST, status codes).
// P [slots, n], Y [states, n] and out [times, wanted, n] have neighbouring patients next to each other, so that the
// threads of a warp read and write neighbouring memory. Everything else a patient needs are arrays of the thread; CUDA
// keeps them in "local" memory, laid out in the same way.

#define ARGUMENTS                                                                                                    \
    long long n, long long times, long long kept, long long fresh, long long max_steps, double t0, double t1,        \
        double first_step, const double *tol, const double *save, const long long *wanted, const long long *start,   \
        const double *when, const long long *kind, const long long *place, const double *value, double *P, double *Y, \
        double *out, long long *status, double *failed_at, long long *failed_in, long long *steps

// The parameter slot (-2 - slot) or state that is not finite, -1 where all are.
FUNCTION long long not_finite(const double *p, long long n, const double *y) {
    for (int k = 0; k < SLOTS; ++k)
        if (!isfinite(p[k * n])) return -2 - k;
    for (int k = 0; k < STATES; ++k)
        if (!isfinite(y[k])) return k;
    return -1;
}

// The state that is not finite or has the largest error in units of its tolerance.
FUNCTION long long worst_state(const double *error, const double *y, const double *Z, const double *tol) {
    double largest = -1.0;
    long long found = -1;
    for (int k = 0; k < STATES; ++k) {
        const double ratio = fabs(error[k]) / (tol[k + 1] + tol[0] * fmax(fabs(y[k]), fabs(Z[k])));
        const double size = isfinite(ratio) ? ratio : INFINITE;
        if (size > largest) {
            largest = size;
            found = k;
        }
    }
    return found;
}

// One action on the slots p (n doubles apart) and the states y. Whether it changed anything.
FUNCTION bool act(long long kind, long long place, double value, double *p, long long n, double *y) {
    if (kind == ADD_STATE) y[place] += value;
    if (kind == SET_STATE) y[place] = value;
    if (kind == ADD_SLOT) p[place * n] += value;
    const bool changed = kind != SET_SLOT || p[place * n] != value;
    if (kind == SET_SLOT) p[place * n] = value;
    return changed;
}

FUNCTION void keep(const double *Y, const double *H, const long long *wanted, long long kept, double *out, long long n) {
    double R[OUTPUTS + 1];  // + 1: a model may have no output
    outputs(Y, H, R);
    for (long long k = 0; k < kept; ++k) out[k * n] = R[wanted[k]];
}

FUNCTION void advance(long long who, ARGUMENTS) {
    double y[STATES], Z[STATES], V[STATES], U[6 * STATES], W[FACTORS], H[PREPARED + 1];
    double *p = P + who;
    out += who;
    if (fresh) init(p, n, y);
    else
        for (int k = 0; k < STATES; ++k) y[k] = Y[k * n + who];
    const double nothing = NOTHING;
    long long at = start[who], end = start[who + 1], s = 0, count = 0, failed = FINE;
    double t = t0, h = first_step, upcoming = t0;  // the first round looks and acts at t0
    bool rejected = false;
    while (at < end && when[at] < t0) ++at;
    for (; s < times && save[s] < t0; ++s)
        for (long long k = 0; k < kept; ++k) out[(s * kept + k) * n] = nothing;
    long long in = not_finite(p, n, y);
    if (in != -1) failed = NOT_FINITE;
    prepare(p, n, H);
    while (failed == FINE) {
        if (t >= upcoming) {  // observe, then act, at the present time
            for (; s < times && save[s] <= t; ++s) keep(y, H, wanted, kept, out + s * kept * n, n);
            bool acted = false;
            for (; at < end && when[at] <= t + SAME_TIME && t < t1; ++at)
                if (act(kind[at], place[at], value[at], p, n, y)) acted = true;
            upcoming = at < end && when[at] < t1 ? when[at] : t1;
            if (acted) {
                prepare(p, n, H);
                h = fmin(h, first_step);
                rejected = false;
            }
            if (t >= t1) break;
        }
        const double left = upcoming - t;
        if (left <= SMALLEST) {
            t = upcoming;
            continue;
        }
        // one step towards the next action; all threads of a warp meet here, whatever they did above
        const bool close = left <= h * 1.0000001;
        const double size = close ? left : left < 2 * h ? fmin(h, 0.5 * left) : h;
        const double error = step(y, H, size, tol, U, W, Z);
        ++count;
        const bool finite = isfinite(error);
        const double grow = error < 2e-7 ? 6.0 : fmin(6.0, fmax(0.2, 0.9 * pow(error, -0.125)));
        if (finite && error <= 1.0) {
            const double later = close ? upcoming : t + size;
            for (; s < times && save[s] < later; ++s) {
                dense(y, Z, U, (save[s] - t) / size, V);
                keep(V, H, wanted, kept, out + s * kept * n, n);
            }
            for (int k = 0; k < STATES; ++k) y[k] = Z[k];
            t = later;
            if (!close || grow < 1.0) h = size * (rejected ? fmin(1.0, grow) : grow);
            else h = fmax(h, size * grow);
            rejected = false;
        } else {
            h = size * (finite ? grow : 0.2);
            rejected = true;
            if (h < SMALLEST) failed = finite ? STEP_TOO_SMALL : NOT_FINITE;
        }
        if (failed == FINE && count > max_steps) failed = TOO_MANY_STEPS;
        if (failed != FINE) in = worst_state(U + 5 * STATES, y, Z, tol);
    }
    if (failed != FINE && t <= t0) s = 0;  // whoever fails at the start has no numbers at all
    for (; s < times; ++s)
        for (long long k = 0; k < kept; ++k) out[(s * kept + k) * n] = nothing;
    for (int k = 0; k < STATES; ++k) Y[k * n + who] = failed == FINE ? y[k] : nothing;
    status[who] = failed;
    failed_at[who] = failed == FINE ? nothing : t;
    failed_in[who] = in;
    steps[who] = count;
}

#define GIVEN                                                                                                        \
    n, times, kept, fresh, max_steps, t0, t1, first_step, tol, save, wanted, start, when, kind, place, value, P, Y,   \
        out, status, failed_at, failed_in, steps

#ifdef __CUDACC__
extern "C" __global__ void run(ARGUMENTS) {
    const long long who = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (who < n) advance(who, GIVEN);
}
#else
extern "C" void run(ARGUMENTS) {
    for (long long who = 0; who < n; ++who) advance(who, GIVEN);
}
#endif
