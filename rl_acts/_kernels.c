/* Elementwise activations in one pass over memory each way, for float32 on a CPU.
 *
 * Compiled once for each instruction set (ISA names it) and called by rl_acts/_kernels.py. Every operation is an IEEE
 * one and fused multiply-adds are written out, so each instruction set computes the same bits, and so does a vector
 * compared with the elements left over behind it. Compile with -ffp-contract=off and without -ffast-math.
 */
#include <float.h>
#include <stdint.h>
#include <string.h>

#if !defined(__FP_FAST_FMAF) && !defined(__FMA__) && !defined(__ARM_FEATURE_FMA)
#error "fused multiply-adds would be calls of a library here, slower than PyTorch's passes"
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))
/* In front of a loop: no element depends on another. What is written may be what was read, element by element. */
#ifdef __clang__
#define ELEMENTWISE _Pragma("clang loop vectorize(assume_safety)")
#else
#define ELEMENTWISE _Pragma("GCC ivdep")
#endif
/* A sum over a batch adds blocks of this many products in single precision, and the blocks in double precision. */
#define BLOCK 512
#define LOG2_E 1.4426950408889634f
#define LN_2 0.6931471805599453f

INLINE float from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

INLINE uint32_t to_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

INLINE float fma_(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
INLINE float root_of(float x) { return __builtin_sqrtf(x); }
INLINE float magnitude(float x) { return from_bits(to_bits(x) & 0x7fffffffu); }
INLINE float positive(float x) { return x > 0.0f ? x : 0.0f; }
INLINE float at_most(float x, float bound) { return x > bound ? bound : x; }

/* x within +-126, by whole numbers, for which there is an instruction; NaN becomes a bound. */
INLINE float limited(float x) {
    uint32_t bits = to_bits(x) & 0x7fffffffu, bound = to_bits(126.0f);
    return from_bits((bits < bound ? bits : bound) | (to_bits(x) & 0x80000000u));
}

/* y in [-126, 126] as n + f, n a whole number: 2^n, and 2^f - 1. */
INLINE float power_of_two(float y, float *rest) {
    /* Adding 1.5 * 2^23 rounds to n; with 127 more the lowest bits of the sum are the exponent of 2^n. */
    float shifted = y + 12583039.0f;
    float f = y - (shifted - 12583039.0f);
    /* (2^f - 1) / f on [-1/2, 1/2], off by 2e-9 of 2^f. */
    float q = fma_(1.5353360504377633e-4f, f, 1.3398875016719103e-3f);
    q = fma_(q, f, 9.61843691766262e-3f);
    q = fma_(q, f, 5.5503323674201965e-2f);
    q = fma_(q, f, 2.4022647738456726e-1f);
    q = fma_(q, f, 6.931471824645996e-1f);
    *rest = q * f;
    return from_bits(to_bits(shifted) << 23);
}

/* 2^y for y in [-126, 126]. */
INLINE float exp2_(float y) {
    float rest, power = power_of_two(y, &rest);
    return power * (1.0f + rest);
}

/* e^x - 1 for x <= 0. */
INLINE float expm1_(float x) {
    float rest, power = power_of_two(limited(LOG2_E * x), &rest);
    return fma_(power, rest, power - 1.0f);
}

/* Swim, p = {k}: f = relu(x) - |x| s with s = 1 / (2 (d + t sqrt d)), d = 1 + t^2, t = k |x|, in which nothing cancels
 * on the left and nothing overflows. The gate G = f / x is s on the left and 1 - s on the right, and
 * f' = G (6 G - 4 G^2 - 1). df/dk = x^2 / (2 d^(3/2)). */
INLINE float swim_value(float x, const float *p) {
    float a = magnitude(x);
    float t = p[0] * a;
    float d = fma_(t, t, 1.0f);
    return positive(x) - a * (0.5f / fma_(t, root_of(d), d));
}

INLINE float swim_slopes(float x, const float *p, float *slopes) {
    float t = p[0] * magnitude(x);
    float d = fma_(t, t, 1.0f);
    float root = root_of(d);
    float s = 0.5f / fma_(t, root, d);
    float gate = x > 0.0f ? 1.0f - s : s;
    slopes[0] = gate * fma_(gate, fma_(-4.0f, gate, 6.0f), -1.0f);
    /* 1 / d = 4 s (1 - s), so no second division; where d overflows s is 0. */
    float y = x * (4.0f * s * (1.0f - s));
    slopes[1] = 0.5f * at_most(root, FLT_MAX) * (y * y);
    return positive(x) - magnitude(x) * s;
}

/* Swish, p = {beta}: f = x s with s = 1 / (1 + 2^y), y = -log2(e) beta x; f' = s + beta x s (1 - s) and
 * df/dbeta = x^2 s (1 - s). Beyond y = 126 s is 0, below -126 it is 1. */
INLINE float swish_exponent(float x, float beta) {
    /* In this order 0 stays 0 for any beta. */
    return -LOG2_E * (beta * x);
}

INLINE float swish_gate(float y) {
    float s = 1.0f / (1.0f + exp2_(limited(y)));
    return y > 126.0f ? 0.0f : s;
}

INLINE float swish_value(float x, const float *p) { return x * swish_gate(swish_exponent(x, p[0])); }

INLINE float swish_slopes(float x, const float *p, float *slopes) {
    float y = swish_exponent(x, p[0]);
    float s = swish_gate(y);
    float rest = 1.0f - s;
    slopes[0] = fma_(s * (-LN_2 * limited(y)), rest, s);
    slopes[1] = x * (x * (s * rest));
    return x * s;
}

/* ULU, p = {a1, a2}: Swish with beta = 2 a, a = a1 on the left and a2 on the right; df/da = 2 x^2 s (1 - s). */
INLINE float ulu_value(float x, const float *p) {
    float beta = 2.0f * (x > 0.0f ? p[1] : p[0]);
    return swish_value(x, &beta);
}

INLINE float ulu_slopes(float x, const float *p, float *slopes) {
    float beta = 2.0f * (x > 0.0f ? p[1] : p[0]), of_swish[2];
    float value = swish_slopes(x, &beta, of_swish);
    slopes[0] = of_swish[0];
    slopes[1] = x > 0.0f ? 0.0f : 2.0f * of_swish[1];
    slopes[2] = x > 0.0f ? 2.0f * of_swish[1] : 0.0f;
    return value;
}

/* CRReLU, p = {eps}: f = relu(x) + eps x b with b = exp(-x^2 / 2); f' = [x > 0] + eps (1 - x^2) b, df/deps = x b. */
INLINE float crrelu_bump(float x) {
    float y = -0.5f * LOG2_E * (x * x);
    return y < -126.0f ? 0.0f : exp2_(y);
}

INLINE float crrelu_value(float x, const float *p) { return fma_(p[0], x * crrelu_bump(x), positive(x)); }

INLINE float crrelu_slopes(float x, const float *p, float *slopes) {
    float bump = crrelu_bump(x);
    slopes[1] = x * bump;
    slopes[0] = fma_(p[0], fma_(-x, slopes[1], bump), x > 0.0f ? 1.0f : 0.0f);
    return fma_(p[0], slopes[1], positive(x));
}

/* xIELU, p = {ap, an, beta}: f = ap r^2 + an (expm1(m) - m) + beta x with r = max(x, 0), m = min(x, 0). */
INLINE float xielu_value(float x, const float *p) {
    float r = positive(x), m = x - r;
    return fma_(p[0] * r, r, fma_(p[1], expm1_(m) - m, p[2] * x));
}

INLINE float xielu_slopes(float x, const float *p, float *slopes) {
    float r = positive(x), m = x - r, grown = expm1_(m);
    slopes[0] = fma_(2.0f * p[0], r, fma_(p[1], grown, p[2]));
    slopes[1] = r * r;
    slopes[2] = grown - m;
    slopes[3] = x;
    return fma_(p[0] * r, r, fma_(p[1], slopes[2], p[2] * x));
}

/* The sum of BLOCK products, which it overwrites: by halves, so that it takes few steps and rounds little. */
INLINE double total(float *products) {
    for (int width = BLOCK / 2; width; width /= 2)
        for (int i = 0; i < width; i++) products[i] += products[i + width];
    return (double)products[0];
}

/* What follows is for any function with count parameters, at most MOST, on x of shape (rows, cols). Each parameter is
 * one number or, by column, an array of cols numbers. Where it is inlined all but pointers and sizes is known. */
#define MOST 3
#define AT(pointer, offset) ((pointer) ? (pointer) + (offset) : 0)
typedef float function(float x, const float *p);
/* Returns f(x), which it has on the way: the bits of the function. */
typedef float derivatives(float x, const float *p, float *slopes);

/* y = f(x) for n numbers; y may be x. */
INLINE void value_of(function *f, int count, int by_column, const float *x, float *y, int64_t n,
                     const float *const *given) {
    float p[MOST];
    for (int j = 0; j < count && !by_column; j++) p[j] = *given[j];
    ELEMENTWISE
    for (int64_t i = 0; i < n; i++) {
        for (int j = 0; j < count && by_column; j++) p[j] = given[j][i];
        y[i] = f(x[i], p);
    }
}

/* y = f(x) and s = f'(x) for n numbers; y or s may be x. */
INLINE void value_and_slope_of(derivatives *f, const float *x, float *y, float *s, int64_t n, const float *p) {
    ELEMENTWISE
    for (int64_t i = 0; i < n; i++) {
        float slopes[MOST + 1];
        float value = f(x[i], p, slopes);
        y[i] = value;
        s[i] = slopes[0];
    }
}

/* gx = g df/dx for n numbers and, if summed, products[j] = g df/dp_j. */
INLINE void pull_of(derivatives *f, int count, int by_column, int summed, const float *g, const float *x, float *gx,
                    float (*products)[BLOCK], int64_t n, const float *const *given) {
    float p[MOST], slopes[MOST + 1];
    for (int j = 0; j < count && !by_column; j++) p[j] = *given[j];
    ELEMENTWISE
    for (int64_t i = 0; i < n; i++) {
        for (int j = 0; j < count && by_column; j++) p[j] = given[j][i];
        f(x[i], p, slopes);
        gx[i] = g[i] * slopes[0];
        for (int j = 0; j < count && summed; j++) products[j][i] = g[i] * slopes[j + 1];
    }
}

/* Parameters are single numbers: gp[j] = the sum of g df/dp_j over everything, where gp[j] is not null. */
INLINE void pull_shared(derivatives *f, int count, int summed, const float *g, const float *x, float *gx, int64_t n,
                        const float *const *given, float *const *gp) {
    float products[MOST][BLOCK];
    double sums[MOST] = {0};
    for (int64_t start = 0; start < n; start += BLOCK) {
        int64_t length = n - start < BLOCK ? n - start : BLOCK;
        pull_of(f, count, 0, summed, g + start, x + start, gx + start, products, length, given);
        for (int j = 0; j < count && summed; j++) {
            for (int64_t i = length; i < BLOCK; i++) products[j][i] = 0.0f;
            sums[j] += total(products[j]);
        }
    }
    for (int j = 0; j < count && summed; j++)
        if (gp[j]) *gp[j] = (float)sums[j];
}

/* Parameters are arrays: gp[j][c] = the sum of g df/dp_j over column c. */
INLINE void pull_by_column(derivatives *f, int count, int summed, const float *g, const float *x, float *gx,
                           int64_t rows, int64_t cols, const float *const *given, float *const *gp) {
    float products[MOST][BLOCK];
    for (int64_t start = 0; start < cols; start += BLOCK) {
        int64_t length = cols - start < BLOCK ? cols - start : BLOCK;
        double sums[MOST][BLOCK] = {{0}};
        const float *here[MOST];
        for (int j = 0; j < count; j++) here[j] = given[j] + start;
        for (int64_t at = start; at < rows * cols; at += cols) {
            pull_of(f, count, 1, summed, g + at, x + at, gx + at, products, length, here);
            for (int j = 0; j < count && summed; j++)
                for (int64_t i = 0; i < length; i++) sums[j][i] += (double)products[j][i];
        }
        for (int j = 0; j < count && summed; j++)
            for (int64_t i = 0; i < length && gp[j]; i++) gp[j][start + i] = (float)sums[j][i];
    }
}

/* fixed: y = f(x) and, unless s is null, s = f'(x), with constants, for n numbers.
 * value: y = f(x) with learnt parameters, for x of shape (groups, rows, cols). Each group has its own ones: a number
 *     each or, by column, cols numbers each.
 * pull: gx = g df/dx and, where the pointers are not null, the sums of g df/dp over what shares a number. */
#define KERNEL(name, count)                                                                                            \
    EXPORT void JOIN(name##_fixed_, ISA)(const float *x, float *y, float *s, int64_t n, float p0, float p1,            \
                                         float p2) {                                                                   \
        const float p[MOST] = {p0, p1, p2}, *const given[MOST] = {&p0, &p1, &p2};                                      \
        if (s) value_and_slope_of(name##_slopes, x, y, s, n, p);                                                       \
        else value_of(name##_value, count, 0, x, y, n, given);                                                         \
    }                                                                                                                  \
    EXPORT void JOIN(name##_value_, ISA)(const float *x, float *y, int64_t groups, int64_t rows, int64_t cols,         \
                                         int by_column, const float *p0, const float *p1, const float *p2) {           \
        int64_t step = by_column ? cols : 1;                                                                           \
        for (int64_t k = 0; k < groups; k++, x += rows * cols, y += rows * cols) {                                     \
            const float *given[MOST] = {AT(p0, k * step), AT(p1, k * step), AT(p2, k * step)};                         \
            if (!by_column) value_of(name##_value, count, 0, x, y, rows * cols, given);                                \
            for (int64_t r = 0; r < rows && by_column; r++)                                                            \
                value_of(name##_value, count, 1, x + r * cols, y + r * cols, cols, given);                             \
        }                                                                                                              \
    }                                                                                                                  \
    EXPORT void JOIN(name##_pull_, ISA)(const float *g, const float *x, float *gx, int64_t groups, int64_t rows,       \
                                        int64_t cols, int by_column, const float *p0, const float *p1,                 \
                                        const float *p2, float *g0, float *g1, float *g2) {                            \
        int64_t step = by_column ? cols : 1, size = rows * cols;                                                       \
        int summed = g0 || g1 || g2;                                                                                   \
        for (int64_t k = 0; k < groups; k++, g += size, x += size, gx += size) {                                       \
            const float *given[MOST] = {AT(p0, k * step), AT(p1, k * step), AT(p2, k * step)};                         \
            float *gp[MOST] = {AT(g0, k * step), AT(g1, k * step), AT(g2, k * step)};                                  \
            if (by_column && summed) pull_by_column(name##_slopes, count, 1, g, x, gx, rows, cols, given, gp);         \
            else if (by_column) pull_by_column(name##_slopes, count, 0, g, x, gx, rows, cols, given, gp);              \
            else if (summed) pull_shared(name##_slopes, count, 1, g, x, gx, size, given, gp);                          \
            else pull_shared(name##_slopes, count, 0, g, x, gx, size, given, gp);                                      \
        }                                                                                                              \
    }

/* What it was built from. */
#ifdef SOURCE
EXPORT const char *const rl_acts_kernels_source = SOURCE;
#endif

KERNEL(swim, 1)
KERNEL(swish, 1)
KERNEL(ulu, 2)
KERNEL(crrelu, 1)
KERNEL(xielu, 3)
